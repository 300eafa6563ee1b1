//! What std is inside the compiler.

use proc_macro::{Literal, TokenStream, TokenTree};

/// Expands to the name of the streams of the macro itself.
#[proc_macro]
pub fn streams(_: TokenStream) -> TokenStream {
    let name = std::any::type_name::<std::net::TcpStream>();
    TokenTree::from(Literal::string(name)).into()
}
