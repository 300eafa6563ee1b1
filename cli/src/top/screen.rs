//! A terminal that shows a text, and another one in its place.

use std::io::{self, Write};
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::style::Print;
use crossterm::terminal::{
    self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{execute, queue};
use sylvan_sight::shown::cut;

/// The terminal, while it is ours. What was on it before comes back.
#[derive(Debug)]
pub(super) struct Screen {
    /// What is on it.
    text: String,
}

impl Screen {
    pub(super) fn open() -> Self {
        // Where this fails there is no such terminal, and the text is written all the same.
        let _ = enable_raw_mode();
        let _ = execute!(io::stdout(), EnterAlternateScreen, Hide);
        Self { text: String::new() }
    }

    /// Shows a text, as much of it as there is room for.
    pub(super) fn show(&mut self, text: &str) {
        text.clone_into(&mut self.text);
        let _ = self.draw();
    }

    fn draw(&self) -> io::Result<()> {
        let (width, height) = terminal::size()?;
        let mut out = io::stdout().lock();
        for (line, row) in self.text.lines().zip(0..height) {
            queue!(
                out,
                MoveTo(0, row),
                Print(cut(line, width.into())),
                Clear(ClearType::UntilNewLine)
            )?;
        }
        queue!(out, Clear(ClearType::FromCursorDown))?;
        out.flush()
    }

    /// Waits so long; whether a key was pressed that ends it.
    pub(super) fn is_left_within(&self, pause: Duration) -> bool {
        match event::poll(pause).and_then(|any| any.then(event::read).transpose()) {
            Ok(Some(Event::Key(key))) => {
                let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
                let is_c = key.code == KeyCode::Char('c') && is_control;
                is_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
            }
            Ok(Some(Event::Resize(..))) => self.draw().is_err(),
            Ok(_) => false,
            // Nobody could end it by a key.
            Err(_) => true,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}
