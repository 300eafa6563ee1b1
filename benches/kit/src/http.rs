//! The HTTP scene's server, without its sockets: bytes in, bytes out.

/// What every request is answered with.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\n\
    Server: plain\r\n\
    Content-Type: text/plain\r\n\
    Content-Length: 13\r\n\
    \r\n\
    Hello, World!";

/// The most header lines a request may have.
const HEADERS: usize = 16;

/// The bytes read from one connection and not answered yet, and the answers not written yet.
#[derive(Debug)]
pub struct Exchange {
    input: Vec<u8>,
    filled: usize,
    output: Vec<u8>,
}

impl Exchange {
    /// Returns an exchange that reads up to `buffer` bytes at a time.
    #[must_use]
    pub fn new(buffer: usize) -> Exchange {
        Exchange { input: vec![0; buffer], filled: 0, output: Vec::with_capacity(buffer) }
    }

    /// Where the next read goes.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.input[self.filled..]
    }

    /// Takes the `n` bytes that were read into [`space`](Exchange::space) and returns the answers
    /// to all requests that are now complete, to be written at once.
    ///
    /// # Errors
    ///
    /// Returns what `httparse` says of a malformed request, and the same for one that does not
    /// fit into the buffer.
    pub fn answer(&mut self, n: usize) -> Result<&[u8], httparse::Error> {
        self.filled += n;
        self.output.clear();
        let mut done = 0;
        while let Some(length) = request_length(&self.input[done..self.filled])? {
            done += length;
            self.output.extend_from_slice(RESPONSE);
        }
        self.input.copy_within(done..self.filled, 0);
        self.filled -= done;
        if self.filled == self.input.len() {
            return Err(httparse::Error::TooManyHeaders);
        }
        Ok(&self.output)
    }
}

/// The length of the first request in `bytes`, when all of it is there (none has a body).
fn request_length(bytes: &[u8]) -> Result<Option<usize>, httparse::Error> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    Ok(match request.parse(bytes)? {
        httparse::Status::Complete(length) => Some(length),
        httparse::Status::Partial => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(exchange: &mut Exchange, bytes: &[u8]) -> usize {
        exchange.space()[..bytes.len()].copy_from_slice(bytes);
        exchange.answer(bytes.len()).expect("a well-formed request").len()
    }

    #[test]
    fn a_request_in_two_pieces_is_answered_once_it_is_whole() {
        let mut exchange = Exchange::new(256);
        assert_eq!(put(&mut exchange, b"GET / HTTP/1.1\r\nHo"), 0);
        assert_eq!(put(&mut exchange, b"st: a\r\n\r\n"), RESPONSE.len());
    }

    #[test]
    fn pipelined_requests_are_answered_together_and_the_rest_is_kept() {
        let mut exchange = Exchange::new(256);
        let two_and_a_half = b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HT";
        assert_eq!(put(&mut exchange, two_and_a_half), 2 * RESPONSE.len());
        assert_eq!(put(&mut exchange, b"TP/1.1\r\n\r\n"), RESPONSE.len());
    }
}
