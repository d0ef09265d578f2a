//! The board of jobs: their news, for those who follow one and for those who come late.

use std::collections::BTreeMap;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::control;
use crate::proto::frame::{self, Answer, Spelling};
use crate::proto::{Code, JobEvent, Refusal};

/// Jobs whose news are kept; those that are not over yet are, however many there are.
const JOBS: usize = 256;
/// News kept of one job.
const NEWS: usize = 64;
/// Jobs that one connection follows at a time: of each its words are kept.
const FOLLOWED: usize = 32;

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
    /// Sends a piece of news; false when that was the last, or the client is gone. One that has no
    /// room misses what happens on the way, and never the end.
    fn hear(&self, event: &JobEvent) -> bool {
        let text = frame::encode_answer(&self.spelling, &Answer::Event(event.clone()));
        if event.outcome.is_some() {
            control::answer(&self.answers, text);
            return false;
        }
        !matches!(self.answers.try_send(text), Err(TrySendError::Closed(_)))
    }
}

impl Board {
    /// There is a new job.
    pub fn open(&mut self, job: u64) {
        self.news.entry(job).or_default();
        let is_over = |news: &Vec<JobEvent>| news.last().is_some_and(|e| e.outcome.is_some());
        if self.news.len() > JOBS
            && let Some(over) =
                self.news.iter().find(|(_, news)| is_over(news)).map(|(job, _)| *job)
        {
            self.news.remove(&over);
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
        self.followers.retain(|follower| !follower.answers.is_closed());
        let refuse = |refusal| {
            let text = frame::encode_answer(&spelling, &Answer::Refused(refusal));
            control::answer(&answers, text);
        };
        let Some(news) = self.news.get(&job) else {
            return refuse(Refusal::new(Code::NoSuchJob, format!("there is no job {job}")));
        };
        let own = self.followers.iter().filter(|other| other.answers.same_channel(&answers));
        if own.count() >= FOLLOWED {
            let text = format!("{FOLLOWED} jobs are waited for on this connection already");
            return refuse(Refusal::new(Code::Busy, text).hint("wait on another one"));
        }
        let follower = Follower { job, spelling, answers };
        if news.iter().all(|event| follower.hear(event)) {
            self.followers.push(follower);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;
    use crate::proto::Outcome;

    /// News of a job; the last one with its outcome.
    fn event(job: u64, message: &str, outcome: Option<Outcome>) -> JobEvent {
        JobEvent { job, service: "web".to_owned(), message: message.to_owned(), outcome }
    }

    /// What somebody is told who follows a job from now on.
    fn follow(board: &mut Board, job: u64) -> mpsc::Receiver<String> {
        let (answers, told) = mpsc::channel(NEWS + 2);
        board.follow(job, Spelling::Words, answers);
        told
    }

    fn heard(told: &mut mpsc::Receiver<String>) -> String {
        std::iter::from_fn(|| told.try_recv().ok()).collect()
    }

    #[test]
    fn who_comes_late_hears_all_and_then_what_comes() {
        let mut board = Board::default();
        board.open(1);
        board.open(2);
        board.publish(event(1, "starting", None));
        board.publish(event(2, "stopping", None));
        let mut told = follow(&mut board, 1);
        assert_eq!(heard(&mut told), "web: starting\n");
        board.publish(event(1, "up", Some(Outcome::Done)));
        assert_eq!(heard(&mut told), "web: up (done)\n");
        assert!(told.is_closed(), "nothing follows the end");
    }

    #[test]
    fn a_job_that_was_over_when_its_number_was_told_is_answered() {
        let mut board = Board::default();
        board.open(1);
        board.publish(event(1, "up", Some(Outcome::Done)));
        let mut told = follow(&mut board, 1);
        assert_eq!((heard(&mut told).as_str(), told.is_closed()), ("web: up (done)\n", true));
    }

    #[test]
    fn a_job_that_nobody_knows_is_refused() {
        let mut told = follow(&mut Board::default(), 9);
        assert_eq!(heard(&mut told), "error: there is no job 9\n");
    }

    #[test]
    fn the_end_of_a_chatty_job_is_kept() {
        let mut board = Board::default();
        board.open(1);
        (0..NEWS * 2).for_each(|number| board.publish(event(1, &number.to_string(), None)));
        board.publish(event(1, "up", Some(Outcome::Done)));
        let all = heard(&mut follow(&mut board, 1));
        assert_eq!(all.lines().count(), NEWS + 1);
        assert!(all.ends_with("web: up (done)\n"), "{all}");
    }

    #[test]
    fn who_has_no_room_for_all_that_happens_at_once_is_told_the_end_all_the_same() {
        let mut board = Board::default();
        board.open(1);
        let (answers, mut told) = mpsc::channel(4);
        board.follow(1, Spelling::Words, answers);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let heard = runtime.block_on(async {
            (0..9).for_each(|number| board.publish(event(1, &number.to_string(), None)));
            board.publish(event(1, "up", Some(Outcome::Done)));
            let mut heard = Vec::new();
            while let Some(text) = told.recv().await {
                heard.push(text);
            }
            heard
        });
        assert_eq!(heard, ["web: 0\n", "web: 1\n", "web: 2\n", "web: 3\n", "web: up (done)\n"]);
    }

    #[test]
    fn old_jobs_are_forgotten_once_they_are_over() {
        let mut board = Board::default();
        board.open(1);
        for job in 2..1000 {
            board.open(job);
            board.publish(event(job, "up", Some(Outcome::Done)));
        }
        assert_eq!(board.news.len(), JOBS);
        assert_eq!(heard(&mut follow(&mut board, 1)), "", "it is still under way");
        assert_eq!(heard(&mut follow(&mut board, 2)), "error: there is no job 2\n");
        assert_eq!(heard(&mut follow(&mut board, 999)), "web: up (done)\n");
    }
}
