//! Level
use super::core::{Core, Local};
use super::{Scheduler, TlsMode, turns};

impl Scheduler {
    pub(super) fn level(&self, core: &Core, local: &mut Local) {
        let n_cores = self.cores.len();
        if n_cores == 1 || self.tls_mode == TlsMode::Shared {
            return;
        }
        local.victim = local.victim.wrapping_add(1);
        let other = &self.cores[local.victim % n_cores];
        if other.index == core.index || !other.is_far_behind(core) {
            return;
        }
        let n = (other.len() - core.len()) / 2;
        for _ in 0..n {
            if let Some(task) = other.woken.steal() {
                turns::enqueue_woken(core, local, task);
            } else if let Some(task) = other.queue.steal() {
                local.left.push_back(task);
            } else {
                break;
            }
        }
        super::beside::DBG[1].fetch_add(n as u64, std::sync::atomic::Ordering::Relaxed);
        self.share_if_due(core, local);
    }
}
