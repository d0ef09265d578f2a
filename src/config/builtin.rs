//! What boots when there is no file, or none that can be used: a login on the console.

use super::report::Source;
use super::spec::SystemSpec;

/// It is written as a person would write it, so that it can be read, and changed, as such.
pub const TEXT: &str = include_str!("builtin.toml");

/// The machine of the built-in configuration.
pub fn builtin() -> SystemSpec {
    super::parse(&[Source::new("(built in)", TEXT)]).spec
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_builtin_configuration_has_no_mistake() {
        let loaded = super::super::parse(&[super::Source::new("(built in)", super::TEXT)]);
        assert_eq!(loaded.errors(), Vec::<String>::new());
        assert_eq!(loaded.spec.services.len(), 2);
    }
}
