//! A collector of spans for a test: takes OTLP over HTTP, as a real one does, and keeps what came.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use poem::{
    EndpointExt, Route, Server, handler,
    http::StatusCode,
    listener::{Acceptor, Listener, TcpListener},
    post,
    web::Data,
};
use prost::Message;

type Bodies = Arc<Mutex<Vec<Vec<u8>>>>;

/// A collector.
pub struct Collector {
    pub url: String,
    bodies: Bodies,
}

impl Collector {
    pub async fn start() -> Self {
        let bodies = Bodies::default();
        let acceptor = TcpListener::bind("127.0.0.1:0").into_acceptor().await.unwrap();
        let url = format!("http://{}", acceptor.local_addr()[0].as_socket_addr().unwrap());
        let app = Route::new().at("/v1/traces", post(take)).data(bodies.clone());
        tokio::spawn(Server::new_with_acceptor(acceptor).run(app));
        Self { url, bodies }
    }

    /// What came, as it came.
    pub fn raw(&self) -> Vec<u8> {
        self.bodies.lock().unwrap().concat()
    }

    /// Every span that came.
    pub fn spans(&self) -> Vec<Span> {
        let bodies = self.bodies.lock().unwrap();
        let batches = bodies.iter().map(|body| ExportTraceServiceRequest::decode(body.as_slice()).unwrap());
        batches.flat_map(|batch| batch.resource_spans).flat_map(|of| of.scope_spans).flat_map(|of| of.spans).collect()
    }
}

#[handler]
fn take(Data(bodies): Data<&Bodies>, body: Vec<u8>) -> StatusCode {
    bodies.lock().unwrap().push(body);
    StatusCode::OK
}

/// A text or a number of a span.
pub fn attribute(span: &Span, name: &str) -> Option<String> {
    let found: &KeyValue = span.attributes.iter().find(|attribute| attribute.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}
