//! The requests to an authority, by the client that everything of ours uses.
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use reqwest::ClientBuilder;
use std::pin::Pin;
use std::time::Duration;

/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(30);
/// Longest request and answer: certificate chains are some kilobytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// The client.
#[derive(Clone, Debug)]
pub(super) struct Http(reqwest::Client);

impl Http {
    pub(super) fn new(builder: ClientBuilder) -> Result<Self, reqwest::Error> {
        Ok(Self(builder.timeout(ANSWER_TIME_MAX).build()?))
    }

    async fn ask(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let body = to_bytes(Body::new(body), BODY_BYTES_MAX).await.map_err(other)?;
        let request = self.0.request(parts.method, parts.uri.to_string());
        let answer = request
            .headers(parts.headers)
            .body(body)
            .send()
            .await
            .map_err(other)?;
        let (parts, body) = Response::<reqwest::Body>::from(answer).into_parts();
        let body = to_bytes(Body::new(body), BODY_BYTES_MAX).await.map_err(other)?;
        Ok(Response::from_parts(parts, Body::from(body)).into())
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().ask(request))
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Other(Box::new(error))
}
