//! The board of jobs: their news, for those who follow one and for those who come late.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use crate::proto::frame::{self, Answer, Spelling};
use crate::proto::{Code, JobEvent, Refusal};

/// Jobs whose news are kept.
const JOBS: usize = 256;
/// News kept of one job.
const NEWS: usize = 64;

/// News of jobs, and who wants to hear them.
#[derive(Debug, Default)]
pub struct Board {
    news: BTreeMap<u64, Vec<JobEvent>>,
    followers: Vec<Follower>,
}

#[derive(Debug)]
struct Follower {
    job: u64,
    spelling: Spelling,
    answers: mpsc::Sender<String>,
}

impl Follower {
    /// Sends a piece of news; false when that was the last, or the client is gone or too slow.
    fn hear(&self, event: &JobEvent) -> bool {
        let text = frame::encode_answer(&self.spelling, &Answer::Event(event.clone()));
        self.answers.try_send(text).is_ok() && event.outcome.is_none()
    }
}

impl Board {
    /// There is a new job.
    pub fn open(&mut self, job: u64) {
        self.news.entry(job).or_default();
        while self.news.len() > JOBS {
            self.news.pop_first();
        }
    }

    /// News of a job.
    pub fn publish(&mut self, event: JobEvent) {
        self.followers.retain(|follower| follower.job != event.job || follower.hear(&event));
        if let Some(news) = self.news.get_mut(&event.job)
            && (news.len() < NEWS || event.outcome.is_some())
        {
            news.push(event);
        }
    }

    /// A client follows a job: what was, then what comes.
    pub fn follow(&mut self, job: u64, spelling: Spelling, answers: mpsc::Sender<String>) {
        let Some(news) = self.news.get(&job) else {
            let refusal = Refusal::new(Code::NoSuchJob, format!("there is no job {job}"));
            let text = frame::encode_answer(&spelling, &Answer::Refused(refusal));
            // A client that is gone misses nothing.
            let _gone = answers.try_send(text);
            return;
        };
        let follower = Follower { job, spelling, answers };
        if news.iter().all(|event| follower.hear(event)) {
            self.followers.push(follower);
        }
    }
}
