//! Fetches charts and indexes over HTTP: 5 seconds to connect, three tries.

use std::time::Duration;

/// How often an address is tried.
const TRIES: u32 = 3;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long no byte may come.
const SILENCE: Duration = Duration::from_secs(30);

/// An address could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchError {
    /// The server says that nothing is there.
    #[error("`{url}` is not there: the server answers {status}")]
    Missing {
        /// The address.
        url: String,
        /// The status.
        status: u16,
    },
    /// The server could not be reached, or failed.
    #[error("`{url}` cannot be fetched: {because}")]
    Failed {
        /// The address.
        url: String,
        /// Why.
        because: String,
    },
}

/// What an address holds.
pub(super) async fn get(url: &str) -> Result<Vec<u8>, FetchError> {
    let mut tried = 1;
    loop {
        match once(url).await {
            Err((FetchError::Failed { .. }, true)) if tried < TRIES => {
                tokio::time::sleep(Duration::from_millis(300) * 2_u32.pow(tried)).await;
                tried += 1;
            }
            other => return other.map_err(|(error, _)| error),
        }
    }
}

/// One try; with the error comes whether another may go well.
async fn once(url: &str) -> Result<Vec<u8>, (FetchError, bool)> {
    let failed = |error: &reqwest::Error| {
        let passing = error.is_connect() || error.is_timeout() || error.is_body();
        (FetchError::Failed { url: shown(url), because: chain(error) }, passing)
    };
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .user_agent("datamill")
        .build()
        .map_err(|error| failed(&error))?;
    let answer = client.get(url).send().await.map_err(|error| failed(&error))?;
    let status = answer.status();
    if !status.is_success() {
        let missing = status.is_client_error() && status.as_u16() != 429;
        let error = match missing {
            true => FetchError::Missing { url: shown(url), status: status.as_u16() },
            false => FetchError::Failed {
                url: shown(url),
                because: format!("the server answers {status}"),
            },
        };
        return Err((error, !missing));
    }
    answer.bytes().await.map(|bytes| bytes.to_vec()).map_err(|error| failed(&error))
}

/// The address without user and password.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.split_once('@')) {
        (Some((scheme, rest)), Some((before, after)))
            if !before.trim_start_matches(scheme).trim_start_matches("://").contains('/')
                && rest.contains('@') =>
        {
            format!("{scheme}://{after}")
        }
        _ => url.to_owned(),
    }
}

/// The reasons of an error in one line; the address in them is left out, since the message names it.
fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(source) = next {
        let words = source.to_string();
        if !text.contains(&words) {
            text = if text.is_empty() { words } else { format!("{text}: {words}") };
        }
        next = source.source();
    }
    if text.is_empty() { error.to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_nobody_listens_at_is_named_without_its_password() {
        let error = once("http://me:secret@127.0.0.1:9/x").await.unwrap_err();
        let text = error.0.to_string();
        assert!(text.contains("http://127.0.0.1:9/x") && !text.contains("secret"), "{text}");
        assert!(error.1);
    }
}
