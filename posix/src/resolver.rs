//! Look-ups of names: of hosts, services, users and groups, in blocking sections.
//!
//! libc asks files, name servers and other processes, and blocks as it does so. Most look-ups are quick, and many
//! at once would take as many OS threads: so they go through a throttle, as those of the mirror do, the same one.

mod addresses;

use std::ffi::{c_char, c_int, c_void};

use libc::{gid_t, group, hostent, passwd, protoent, servent, size_t, sockaddr, socklen_t, uid_t};

pub use addresses::getaddrinfo;

use crate::calls::look_up::LOOK_UPS;
use crate::wait::sections;

sections! { LOOK_UPS:
    getnameinfo(
        address: *const sockaddr,
        len: socklen_t,
        host: *mut c_char,
        host_len: socklen_t,
        service: *mut c_char,
        service_len: socklen_t,
        flags: c_int,
    ) -> c_int;
    gethostbyname(name: *const c_char) -> *mut hostent;
    gethostbyname2(name: *const c_char, family: c_int) -> *mut hostent;
    gethostbyaddr(address: *const c_void, len: socklen_t, family: c_int) -> *mut hostent;
    gethostbyname_r(
        name: *const c_char,
        to: *mut hostent,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int;
    gethostbyname2_r(
        name: *const c_char,
        family: c_int,
        to: *mut hostent,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int;
    gethostbyaddr_r(
        address: *const c_void,
        address_len: socklen_t,
        family: c_int,
        to: *mut hostent,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut hostent,
        error: *mut c_int,
    ) -> c_int;
    getservbyname(name: *const c_char, protocol: *const c_char) -> *mut servent;
    getservbyport(port: c_int, protocol: *const c_char) -> *mut servent;
    getservbyname_r(
        name: *const c_char,
        protocol: *const c_char,
        to: *mut servent,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut servent,
    ) -> c_int;
    getservbyport_r(
        port: c_int,
        protocol: *const c_char,
        to: *mut servent,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut servent,
    ) -> c_int;
    getprotobyname(name: *const c_char) -> *mut protoent;
    getprotobyname_r(
        name: *const c_char,
        to: *mut protoent,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut protoent,
    ) -> c_int;
    getpwnam(name: *const c_char) -> *mut passwd;
    getpwuid(user: uid_t) -> *mut passwd;
    getpwnam_r(
        name: *const c_char,
        to: *mut passwd,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut passwd,
    ) -> c_int;
    getpwuid_r(
        user: uid_t,
        to: *mut passwd,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut passwd,
    ) -> c_int;
    getgrnam(name: *const c_char) -> *mut group;
    getgrgid(id: gid_t) -> *mut group;
    getgrnam_r(
        name: *const c_char,
        to: *mut group,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut group,
    ) -> c_int;
    getgrgid_r(
        id: gid_t,
        to: *mut group,
        room: *mut c_char,
        len: size_t,
        result: *mut *mut group,
    ) -> c_int;
    getgrouplist(user: *const c_char, id: gid_t, groups: *mut gid_t, n: *mut c_int) -> c_int;
    initgroups(user: *const c_char, id: gid_t) -> c_int;
    res_query(
        name: *const c_char,
        class: c_int,
        kind: c_int,
        answer: *mut u8,
        len: c_int,
    ) -> c_int;
    res_search(
        name: *const c_char,
        class: c_int,
        kind: c_int,
        answer: *mut u8,
        len: c_int,
    ) -> c_int;
    res_nquery(
        state: *mut c_void,
        name: *const c_char,
        class: c_int,
        kind: c_int,
        answer: *mut u8,
        len: c_int,
    ) -> c_int;
    res_nsearch(
        state: *mut c_void,
        name: *const c_char,
        class: c_int,
        kind: c_int,
        answer: *mut u8,
        len: c_int,
    ) -> c_int;
}
