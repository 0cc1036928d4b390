//! Which server, which token: flags first, then the environment, then what `elytra dev` left in
//! this folder.
use crate::args::CommonArgs;
use crate::failure::Failure;
use elytra_client::{Client, Options, SERVER_DEFAULT};
use std::path::{Path, PathBuf};

/// Where `elytra dev` keeps its data, unless it is told otherwise.
pub(crate) const DEV_FOLDER: &str = ".elytra";
/// The token of `elytra dev`, in its folder.
pub(crate) const TOKEN_FILE: &str = "token";
/// The address of the running `elytra dev`, in its folder.
pub(crate) const ADDRESS_FILE: &str = "address";

/// A client for the server that is meant.
pub(crate) fn client(common: &CommonArgs) -> Result<Client, Failure> {
    let server = server(common);
    let token = token(common, &server)?;
    let mut options = Options::new(server);
    if let Some(token) = token {
        options = options.token(token);
    }
    if let Some(file) = &common.ca_file {
        options = options.ca_file(file);
    }
    Ok(Client::new(options)?)
}

/// The server's address.
pub(crate) fn server(common: &CommonArgs) -> String {
    let told = common.server.clone().filter(|server| !server.is_empty());
    told.or_else(|| left_by_dev(ADDRESS_FILE))
        .unwrap_or_else(|| SERVER_DEFAULT.into())
}

/// The token, if there is one.
pub(crate) fn token(common: &CommonArgs, server: &str) -> Result<Option<String>, Failure> {
    if let Some(path) = &common.token_file {
        return read_token(path).map(Some);
    }
    let told = std::env::var("ELYTRA_TOKEN")
        .ok()
        .filter(|token| !token.is_empty());
    // The token of a server on this machine is nobody else's business.
    Ok(told.or_else(|| is_local(server).then(|| left_by_dev(TOKEN_FILE)).flatten()))
}

fn read_token(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::Usage(format!(
            "the token file {} cannot be read: {error}",
            path.display()
        ))
    })?;
    Ok(text.trim().to_owned())
}

fn left_by_dev(file: &str) -> Option<String> {
    let text = std::fs::read_to_string(PathBuf::from(DEV_FOLDER).join(file)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn is_local(server: &str) -> bool {
    let host = server.split("://").nth(1).unwrap_or_default();
    let host = host.split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    matches!(name, "127.0.0.1" | "localhost" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_left_in_this_folder_goes_to_this_machine_only() {
        let local = ["http://127.0.0.1:4750", "http://localhost", "http://[::1]:1/x"];
        assert!(local.into_iter().all(is_local));
        let others = [
            "http://example.org:4750",
            "http://127.0.0.1.example.org",
            "127.0.0.1",
            "",
        ];
        assert!(!others.into_iter().any(is_local));
    }
}
