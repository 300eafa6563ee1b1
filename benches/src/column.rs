//! What a case measures of a peer, and the numbers that come of it.

use std::borrow::Cow;

/// One quantity of a case.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) title: Cow<'static, str>,
    pub(crate) role: Role,
}

/// How a quantity is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// With its spread and its ratio; less is better.
    Cost,
    /// With its spread and its ratio; more is better.
    Yield,
    /// By its median alone.
    Aside,
}

pub(crate) const fn cost(title: &'static str) -> Column {
    Column { title: Cow::Borrowed(title), role: Role::Cost }
}

pub(crate) const fn gain(title: &'static str) -> Column {
    Column { title: Cow::Borrowed(title), role: Role::Yield }
}

pub(crate) const fn aside(title: &'static str) -> Column {
    Column { title: Cow::Borrowed(title), role: Role::Aside }
}

/// One number per column.
pub(crate) type Sample = Vec<f64>;
