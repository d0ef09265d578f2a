//! Lines: what goes over the socket, one JSON object or one line of words each.

use serde::{Deserialize, Serialize};

use super::{Code, JobEvent, Refusal, Reply, Request, words};

/// Longest line, in bytes; a longer one is refused before it is kept.
pub const MAX_LINE: usize = 64 * 1024;

/// A request with the spelling that its answer takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What is asked.
    pub request: Request,
    /// How it was asked, and so how it is answered.
    pub spelling: Spelling,
    /// Whether the client says that it will follow what comes of it to its end. Words never do.
    pub wait: bool,
}

/// How a request was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spelling {
    /// JSON, with the client's own number, echoed as it came.
    Json(serde_json::Value),
    /// Words.
    Words,
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    id: serde_json::Value,
    method: String,
    #[serde(default)]
    params: serde_json::Value,
    #[serde(default)]
    wait: bool,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    id: &'a serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Reply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a JobEvent>,
}

/// What a client reads back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It worked.
    Reply(Reply),
    /// It did not.
    Refused(Refusal),
    /// News of a job.
    Event(JobEvent),
}

#[derive(Deserialize)]
struct Incoming {
    result: Option<Reply>,
    error: Option<Refusal>,
    event: Option<JobEvent>,
}

/// Reads one line of a client.
///
/// # Errors
/// The refusal to send back, and the spelling to send it in.
pub fn decode(line: &str) -> Result<Call, (Spelling, Refusal)> {
    let line = line.trim();
    if !line.starts_with('{') {
        let request = words::parse(line).map_err(|refusal| (Spelling::Words, refusal))?;
        return Ok(Call { request, spelling: Spelling::Words, wait: false });
    }
    let envelope: Envelope = serde_json::from_str(line).map_err(|error| {
        let spelling = Spelling::Json(serde_json::Value::Null);
        (spelling, Refusal::new(Code::BadRequest, format!("not a request: {error}")))
    })?;
    let spelling = Spelling::Json(envelope.id);
    match request(&envelope.method, envelope.params) {
        Ok(request) => Ok(Call { request, spelling, wait: envelope.wait }),
        Err(refusal) => Err((spelling, refusal)),
    }
}

/// A method with its parameters. First without them: a method that takes none ignores what is
/// there, and one that is not known is told from a parameter that is not understood.
fn request(method: &str, params: serde_json::Value) -> Result<Request, Refusal> {
    let mut object = serde_json::Map::new();
    object.insert("method".to_owned(), method.into());
    let unmet = match Request::deserialize(serde_json::Value::Object(object.clone())) {
        Ok(request) => return Ok(request),
        Err(error) => error.to_string(),
    };
    let method = shortened(method);
    if unmet.starts_with("unknown variant") {
        let message = format!("`{method}` is not understood by this version of finit");
        return Err(Refusal::new(Code::UnknownMethod, message));
    }
    // Without them, those that need not be there are not.
    let params = if params.is_null() { serde_json::Map::new().into() } else { params };
    object.insert("params".to_owned(), params);
    Request::deserialize(serde_json::Value::Object(object)).map_err(|error| {
        let text = error.to_string();
        Refusal::new(Code::BadRequest, format!("{method}: {}", shortened(&text)))
    })
}

/// Enough of a text to know it by: who sends 64 KiB need not get them back.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 120;
    let mut short: String = text.chars().take(MOST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Writes the request line of a client.
pub fn encode_request(id: u64, request: &Request) -> String {
    encode(id, request, false)
}

/// The same for one that will wait for what comes of it: a finit that knows better refuses what
/// could only wait for itself, an older one takes no notice.
pub fn encode_order(id: u64, request: &Request) -> String {
    encode(id, request, true)
}

fn encode(id: u64, request: &Request, wait: bool) -> String {
    let mut value = serde_json::to_value(request).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("id".to_owned(), id.into());
        if wait {
            object.insert("wait".to_owned(), true.into());
        }
    }
    line(&value)
}

/// Writes the answer to a request in its spelling.
pub fn encode_answer(spelling: &Spelling, answer: &Answer) -> String {
    let id = match spelling {
        Spelling::Words => return words::render(answer),
        Spelling::Json(id) => id,
    };
    let (result, error, event) = match answer {
        Answer::Reply(reply) => (Some(reply), None, None),
        Answer::Refused(refusal) => (None, Some(refusal), None),
        Answer::Event(event) => (None, None, Some(event)),
    };
    line(&Outgoing { id, result, error, event })
}

/// Reads one line of the server.
///
/// # Errors
/// In words, when it is no answer.
pub fn decode_answer(text: &str) -> Result<Answer, String> {
    let incoming: Incoming = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match incoming {
        Incoming { result: Some(reply), .. } => Ok(Answer::Reply(reply)),
        Incoming { error: Some(refusal), .. } => Ok(Answer::Refused(refusal)),
        Incoming { event: Some(event), .. } => Ok(Answer::Event(event)),
        Incoming { .. } => Err("neither result, error nor event".to_owned()),
    }
}

/// One line of JSON. Our own types always serialize; an empty object stands for the impossible.
fn line(value: &impl Serialize) -> String {
    let mut text = serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned());
    text.push('\n');
    text
}
