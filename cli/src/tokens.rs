//! Tokens: make, list, revoke.
use crate::args::{CommonArgs, Format, TokenCommand, TokenCreateArgs};
use crate::context;
use crate::failure::{Code, Failure};
use crate::output::{self, Table, words};
use crate::say::{ago, note, now_ms};
use crate::shell::{self, Flags};
use protocol::api::{Scope, TokenInfo, TokenMade, TokenRequest};

const DAY_MS: u64 = 86_400_000;

/// `elytra token …`. `flags` are the settings of a server that does not run.
pub(crate) async fn token(
    common: &CommonArgs,
    command: &TokenCommand,
    flags: &Flags,
) -> Result<Code, Failure> {
    match command {
        TokenCommand::Create(args) => create(common, args, flags).await?,
        TokenCommand::List => {
            let tokens = context::client(common)?.tokens().await?.tokens;
            output::list(common.output, &tokens, table)?;
        }
        TokenCommand::Revoke { id } => {
            context::client(common)?.revoke_token(id).await?;
            note(&format!("token {id} is worth nothing any more"));
        }
    }
    Ok(Code::Done)
}

async fn create(common: &CommonArgs, args: &TokenCreateArgs, flags: &Flags) -> Result<(), Failure> {
    let request = request(args);
    let made: TokenMade = if args.offline {
        shell::make_token_offline(args.server.config.as_deref(), flags, request)?
    } else {
        context::client(common)?.make_token(&request).await?
    };
    note(&format!(
        "token {} for {} ({}); it is shown only now",
        made.info.id,
        made.info.name,
        scopes(&made.info)
    ));
    match common.output {
        Format::Table => output::line(&made.token),
        format => output::one(format, &made, |made| made.token.clone()),
    }
}

fn request(args: &TokenCreateArgs) -> TokenRequest {
    let named = |word: &String| {
        Scope::ALL
            .iter()
            .find(|(_, known)| known == word)
            .map(|(scope, _)| *scope)
    };
    TokenRequest {
        name: args.name.clone(),
        scopes: args.scopes.iter().filter_map(named).collect(),
        expires_ms: args.days.map(|days| now_ms() + u64::from(days) * DAY_MS),
    }
}

fn scopes(info: &TokenInfo) -> String {
    let word = |scope: &Scope| {
        Scope::ALL
            .iter()
            .find(|(known, _)| known == scope)
            .map(|(_, word)| *word)
    };
    info.scopes.iter().filter_map(word).collect::<Vec<_>>().join(", ")
}

fn table(tokens: &[TokenInfo]) -> Table {
    let columns = [
        words("ID"),
        words("NAME"),
        words("SCOPES"),
        words("MADE"),
        words("ENDS"),
    ];
    let mut table = Table::new(columns, "no tokens");
    for info in tokens {
        let ends = match info.expires_ms {
            None => "never".into(),
            Some(end) if end <= now_ms() => "over".into(),
            Some(end) => format!("in {}", crate::say::duration_ms(end - now_ms())),
        };
        table.row([
            info.id.clone(),
            info.name.clone(),
            scopes(info),
            ago(info.created_ms),
            ends,
        ]);
    }
    table
}
