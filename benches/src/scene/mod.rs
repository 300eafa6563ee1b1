//! What is measured: scenes, each a few cases, each case one table.
//!
//! A case is run once per peer and round, and yields one number per column. It starts its peer
//! afresh every time, so nothing carries over from one run to the next. A peer that measures
//! itself runs from its start to its end; servers stand side by side, and the load goes round
//! them in short turns ([`crate::turns`]).

mod beside;
mod chat;
mod churn;
mod compute;
mod micro;
mod serve;
mod sleepers;
mod syscalls;
mod wrk;

use crate::case::Scene;

/// All scenes, the most important ones first.
pub(crate) const ALL: &[Scene] = &[
    serve::ECHO_TCP,
    serve::TIMEOUTS,
    micro::YIELD,
    micro::SPAWN,
    micro::BATCH,
    micro::CHANNEL,
    micro::MUTEX,
    micro::CONDVAR,
    micro::PARK,
    micro::TIMER,
    micro::LOOKUP,
    micro::FILE,
    sleepers::SLEEPERS,
    churn::CHURN,
    serve::HTTP,
    wrk::HTTP_WRK,
    serve::ECHO_UDP,
    serve::ECHO_UNIX,
    chat::CHAT,
    serve::IDLE,
    serve::ECHO_RATE,
    compute::CPU,
    beside::BESIDE,
    beside::FORK_JOIN,
    syscalls::SYSCALLS,
];
