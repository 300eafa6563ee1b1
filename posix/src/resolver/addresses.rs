//! Look-ups of hosts: asked in a section, unless that can be spared (`calls::look_up`).
//!
//! What `/etc/hosts` says goes to libc once more, as a number, and so does what is a number to begin with:
//! libc then asks nobody, and makes the list as it always does.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ptr;

use libc::{AF_INET, AF_INET6, AF_UNSPEC, AI_NUMERICSERV, AI_PASSIVE, addrinfo};
use sylvan::contract::SingleFlight;

use crate::calls::look_up::{Family, LOOK_UPS, State, heard, known, state};
use crate::errno::{errno, set_errno};
use crate::next::Next;
use crate::wait;

/// What green threads ask at this moment.
static UNDER_WAY: SingleFlight<Question, Answer> = SingleFlight::new();

static NEXT: Next = Next::new(c"getaddrinfo");

type GetAddrInfo = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    *const addrinfo,
    *mut *mut addrinfo,
) -> c_int;

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn getaddrinfo(
    node: *const c_char,
    service: *const c_char,
    hints: *const addrinfo,
    to: *mut *mut addrinfo,
) -> c_int {
    let ask = |node: *const c_char, to: *mut *mut addrinfo| {
        // SAFETY: as the caller promises; that is the function's type.
        unsafe {
            let next: GetAddrInfo = mem::transmute::<*mut c_void, GetAddrInfo>(NEXT.get());
            next(node, service, hints, to)
        }
    };
    if !sylvan::is_green() {
        return wait::section(|| ask(node, to));
    }
    // SAFETY: as the caller promises.
    let question = unsafe { Question::of(node, service, hints) };
    if let Some((host, family)) = question.plain() {
        if host.to_str().is_ok_and(|host| host.parse::<IpAddr>().is_ok()) {
            return ask(node, to);
        }
        // SAFETY: `ask` makes lists of libc's.
        let list = |ips: &[IpAddr]| unsafe { number_by_number(ips, ask) };
        let asks = NEXT.get().cast_const().cast();
        if let Some(list) = known(host.to_bytes(), family, asks, list).flatten() {
            // SAFETY: as the caller promises.
            unsafe { *to = list };
            return 0;
        }
    }
    let mut has_asked = false;
    let answer = wait::section_once(&UNDER_WAY, &question, &LOOK_UPS, || {
        has_asked = true;
        let code = ask(node, to);
        let errno = errno();
        // SAFETY: libc has made the list where it says so.
        let list = if code == 0 { unsafe { copied(*to) } } else { Vec::new() };
        Answer { code, errno, list }
    });
    if let (0, Some((host, family))) = (answer.code, question.plain()) {
        // Each address is there once for each kind of socket.
        let kind = |one: &Address| [one.about[2], one.about[3]];
        let of_one_kind = answer.list.iter().filter(|one| kind(one) == kind(&answer.list[0]));
        heard(host.to_bytes(), family, of_one_kind.filter_map(Address::ip));
    }
    if answer.code == libc::EAI_SYSTEM {
        set_errno(answer.errno);
    }
    if answer.code == 0 && !has_asked {
        // SAFETY: as the caller promises.
        return unsafe { hand_out(&answer.list, to) };
    }
    answer.code
}

/// Has libc make the list of these addresses: one for each, end to end. None, and nothing left, if it does not.
///
/// # Safety
///
/// Where `ask` returns 0 it has made a list of libc's.
unsafe fn number_by_number(
    ips: &[IpAddr],
    ask: impl Fn(*const c_char, *mut *mut addrinfo) -> c_int,
) -> Option<*mut addrinfo> {
    let mut all: *mut addrinfo = ptr::null_mut();
    for ip in ips.iter().rev() {
        let number = CString::new(ip.to_string()).expect("digits");
        let mut list = ptr::null_mut();
        if ask(number.as_ptr(), &raw mut list) != 0 {
            if !all.is_null() {
                // SAFETY: libc has made it, and nobody has it.
                unsafe { libc::freeaddrinfo(all) };
            }
            return None;
        }
        let mut end = &raw mut list;
        // SAFETY: a list of libc's, up to its end.
        while let Some(one) = unsafe { (*end).as_mut() } {
            end = &raw mut one.ai_next;
        }
        // SAFETY: the place where the list ends.
        unsafe { *end = all };
        all = list;
    }
    Some(all)
}

/// All that an answer goes by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    node: Option<CString>,
    service: Option<CString>,
    /// Flags, family, kind and protocol.
    hints: Option<[c_int; 4]>,
    state: State,
}

impl Question {
    /// # Safety
    ///
    /// The pointers are null or those of a call of `getaddrinfo`.
    unsafe fn of(node: *const c_char, service: *const c_char, hints: *const addrinfo) -> Self {
        let text = |text: *const c_char| {
            // SAFETY: as the caller promises.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_owned())
        };
        // SAFETY: as the caller promises.
        let hints = unsafe { hints.as_ref() };
        let hints = hints.map(|it| [it.ai_flags, it.ai_family, it.ai_socktype, it.ai_protocol]);
        Self { node: text(node), service: text(service), hints, state: state() }
    }

    /// The host and the family, if only the host is to be looked up, and nothing but its addresses is wanted.
    fn plain(&self) -> Option<(&CStr, Family)> {
        let [flags, family, ..] = self.hints?;
        let is_number = |service: &CString| {
            let is_one = |digits: &str| digits.parse::<u16>().is_ok() && !digits.starts_with('+');
            service.to_str().is_ok_and(is_one)
        };
        let family = match family {
            AF_UNSPEC => Family::Any,
            AF_INET => Family::V4,
            AF_INET6 => Family::V6,
            _ => return None,
        };
        let is_plain = flags & !(AI_PASSIVE | AI_NUMERICSERV) == 0;
        let is_plain = is_plain && self.service.as_ref().is_none_or(is_number);
        Some((self.node.as_deref()?, family)).filter(|_| is_plain)
    }
}

/// What libc has said, for several threads.
#[derive(Clone)]
struct Answer {
    code: c_int,
    errno: c_int,
    list: Vec<Address>,
}

#[derive(Clone)]
struct Address {
    /// Flags, family, kind and protocol.
    about: [c_int; 4],
    bytes: Vec<u8>,
    canonical: Option<CString>,
}

impl Address {
    fn ip(&self) -> Option<IpAddr> {
        let part = |from: usize, len: usize| self.bytes.get(from..from + len);
        match self.about[1] {
            AF_INET => Some(Ipv4Addr::from(<[u8; 4]>::try_from(part(4, 4)?).ok()?).into()),
            AF_INET6 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(part(8, 16)?).ok()?).into()),
            _ => None,
        }
    }
}

/// # Safety
///
/// It is a list that libc has made.
unsafe fn copied(mut list: *const addrinfo) -> Vec<Address> {
    let mut all = Vec::new();
    // SAFETY: as the caller promises.
    while let Some(one) = unsafe { list.as_ref() } {
        // SAFETY: as the caller promises: an address of that length, and a text or null.
        let (bytes, canonical) = unsafe {
            let bytes =
                std::slice::from_raw_parts(one.ai_addr.cast::<u8>(), one.ai_addrlen as usize);
            let canonical = (!one.ai_canonname.is_null()).then(|| CStr::from_ptr(one.ai_canonname));
            (bytes.to_vec(), canonical.map(CStr::to_owned))
        };
        let about = [one.ai_flags, one.ai_family, one.ai_socktype, one.ai_protocol];
        all.push(Address { about, bytes, canonical });
        list = one.ai_next;
    }
    all
}

/// Makes a list for libc's `freeaddrinfo`: a block for each address with its bytes, and one for its name.
///
/// # Safety
///
/// `to` is valid for a write.
unsafe fn hand_out(all: &[Address], to: *mut *mut addrinfo) -> c_int {
    let mut list: *mut addrinfo = ptr::null_mut();
    for Address { about, bytes, canonical } in all.iter().rev() {
        // SAFETY: the block has room for both, and belongs to the list once all of it is written; the list
        // is one that libc could have made.
        unsafe {
            let block = libc::malloc(size_of::<addrinfo>() + bytes.len()).cast::<addrinfo>();
            let name = canonical.as_ref().map(|name| libc::strdup(name.as_ptr()));
            if block.is_null() || name.is_some_and(|name| name.is_null()) {
                libc::free(block.cast());
                libc::free(name.unwrap_or(ptr::null_mut()).cast());
                if !list.is_null() {
                    libc::freeaddrinfo(list);
                }
                return libc::EAI_MEMORY;
            }
            let mut one = MaybeUninit::<addrinfo>::zeroed().assume_init();
            [one.ai_flags, one.ai_family, one.ai_socktype, one.ai_protocol] = *about;
            one.ai_addrlen = bytes.len() as libc::socklen_t;
            one.ai_addr = block.add(1).cast();
            one.ai_canonname = name.unwrap_or(ptr::null_mut());
            one.ai_next = mem::replace(&mut list, block);
            block.write(one);
            ptr::copy_nonoverlapping(bytes.as_ptr(), block.add(1).cast(), bytes.len());
        }
    }
    // SAFETY: as the caller promises.
    unsafe { *to = list };
    0
}
