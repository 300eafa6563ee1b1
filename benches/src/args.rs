//! The command line.

use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
usage: suite [OPTION]…

Builds every peer, runs every scene side by side and prints one table for each case.

  --quick          short intervals and fewer cases; done in two minutes
  --minutes M      begin no round that would last longer than this (default 30, with --quick 2)
  --rounds N       rounds over everything at most (default 7, with --quick 3)
  --seconds S      length of a measured interval (default 0.4, with --quick 0.1)
  --scene NAME     only this scene (may be given more than once)
  --peer NAME      only this peer (may be given more than once)
  --json FILE      write everything that was measured to FILE
  --report FILE    put tables, targets and charts between the markers of the Markdown page FILE;
                   the charts go to `charts` beside it
  --read FILE      measure nothing: take what an earlier run wrote with --json
  --list           say which scenes and peers there are";

/// What was asked for.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Args {
    pub(crate) quick: bool,
    pub(crate) list: bool,
    pub(crate) help: bool,
    pub(crate) scenes: Vec<String>,
    pub(crate) peers: Vec<String>,
    pub(crate) rounds: Option<usize>,
    pub(crate) seconds: Option<f64>,
    pub(crate) minutes: Option<f64>,
    pub(crate) json: Option<PathBuf>,
    pub(crate) report: Option<PathBuf>,
    pub(crate) read: Option<PathBuf>,
}

impl Args {
    /// Reads `words`; an error is what to tell the user.
    pub(crate) fn parse(words: impl IntoIterator<Item = String>) -> Result<Args, String> {
        let mut args = Args::default();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("`{word}` needs a value"));
            match word.as_str() {
                "--quick" => args.quick = true,
                "--list" => args.list = true,
                "--help" | "-h" => args.help = true,
                "--scene" => args.scenes.push(value()?),
                "--peer" => args.peers.push(value()?),
                "--rounds" => args.rounds = Some(positive(&word, &value()?)?),
                "--seconds" => args.seconds = Some(positive(&word, &value()?)?),
                "--minutes" => args.minutes = Some(positive(&word, &value()?)?),
                "--json" => args.json = Some(value()?.into()),
                "--report" => args.report = Some(value()?.into()),
                "--read" => args.read = Some(value()?.into()),
                _ => return Err(format!("`{word}` is no option")),
            }
        }
        Ok(args)
    }
}

fn positive<T: std::str::FromStr + Default + PartialOrd>(
    option: &str,
    text: &str,
) -> Result<T, String> {
    match text.parse() {
        Ok(number) if number > T::default() => Ok(number),
        _ => Err(format!("`{option}` expected a positive number, got `{text}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_may_be_repeated_and_mixed() {
        let args = parse("--quick --peer shim --scene http --peer may --rounds 2").expect("valid");
        assert!(args.quick);
        assert_eq!(args.peers, ["shim", "may"]);
        assert_eq!((args.scenes, args.rounds), (vec!["http".to_owned()], Some(2)));
    }

    #[test]
    fn an_error_names_the_option_and_the_value() {
        assert_eq!(parse("--fast"), Err("`--fast` is no option".to_owned()));
        assert_eq!(parse("--json"), Err("`--json` needs a value".to_owned()));
        let zero = parse("--rounds 0");
        assert_eq!(zero, Err("`--rounds` expected a positive number, got `0`".to_owned()));
    }
}
