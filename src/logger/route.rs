//! Where a pipe leads.

use super::devices::Kind;
use super::message::{Output, Target};
use crate::facts::log;

/// Paths are shorter, so that a note has room for one.
pub const PATH_LONGEST: usize = 1024;

/// Where a pipe leads: small, for there may be a thousand, and nearly all say no more than a name.
#[derive(Debug)]
pub enum Route {
    /// This file in the log folder.
    Own(Box<str>),
    /// A file of which there is more to say.
    File(Box<FileRoute>),
    /// This device, and the tag before its lines.
    Device(Kind, Box<str>),
}

/// A file of which there is more to say.
#[derive(Debug)]
pub struct FileRoute {
    place: Place,
    /// Before each line.
    tag: Option<String>,
    max_size: Option<u64>,
    errors: bool,
}

#[derive(Debug)]
enum Place {
    /// This file in the log folder.
    Own(String),
    /// This path.
    Path(String),
}

impl Route {
    /// As PID 1 says it.
    pub fn new(output: Output) -> Self {
        let Output { name, target, tag, max_size, errors } = output;
        let tag = tag.unwrap_or_else(|| name.clone());
        let tag = log::tag(&tag);
        let device = |kind| Self::Device(kind, tag.as_str().into());
        match target {
            Target::File(path) if path.len() < PATH_LONGEST => {
                let (place, tag) = (Place::Path(path), Some(tag));
                Self::File(Box::new(FileRoute { place, tag, max_size, errors }))
            }
            Target::File(_) | Target::Files if max_size.is_none() && !errors => {
                Self::Own(log::file_name(&name).into())
            }
            Target::File(_) | Target::Files => {
                let place = Place::Own(log::file_name(&name));
                Self::File(Box::new(FileRoute { place, tag: None, max_size, errors }))
            }
            Target::Kmsg => device(Kind::Kmsg),
            Target::Console => device(Kind::Console),
            Target::Syslog => device(Kind::Syslog),
            Target::Nowhere => device(Kind::Nowhere),
        }
    }

    /// The path of a file; none of a device.
    pub fn path(&self, directory: &str) -> Option<String> {
        match self {
            Self::Own(file) => Some(format!("{directory}/{file}")),
            Self::File(route) => Some(match &route.place {
                Place::Own(file) => format!("{directory}/{file}"),
                Place::Path(path) => path.clone(),
            }),
            Self::Device(..) => None,
        }
    }

    /// What stands before each line of a file.
    pub fn tag(&self) -> Option<String> {
        match self {
            Self::File(route) => route.tag.clone(),
            Self::Own(_) | Self::Device(..) => None,
        }
    }

    /// Bytes after which its file is rotated, if it says so itself.
    pub fn max_size(&self) -> Option<u64> {
        match self {
            Self::File(route) => route.max_size,
            Self::Own(_) | Self::Device(..) => None,
        }
    }

    /// Whether lines of a file are marked as those of a stderr.
    pub fn errors(&self) -> bool {
        matches!(self, Self::File(route) if route.errors)
    }
}
