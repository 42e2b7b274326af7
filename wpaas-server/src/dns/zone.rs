use std::sync::{Arc, PoisonError, RwLock};

use hickory_server::net::runtime::{Time, TokioRuntimeProvider};
use hickory_server::proto::rr::{RData, RecordType, RrKey};
use hickory_server::proto::serialize::txt::Parser;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};

/// What is answered now; before the first zone, every question is refused.
#[derive(Clone, Default)]
pub struct Served(Arc<RwLock<Arc<Catalog>>>);

/// A text that is no zone.
#[derive(Debug, thiserror::Error)]
#[error("not a zone: {0}")]
pub struct InvalidZone(String);

impl Served {
    /// Answers from this zone from now on; of one that is not good, nothing is taken. Returns its serial.
    ///
    /// # Errors
    ///
    /// When the text is no zone with an SOA at its top.
    pub fn replace(&self, text: &str) -> Result<u32, InvalidZone> {
        let invalid = |error: &dyn std::fmt::Display| InvalidZone(error.to_string());
        let (origin, records) = Parser::new(text, None, None).parse().map_err(|error| invalid(&error))?;
        let soa = records.get(&RrKey::new(origin.clone().into(), RecordType::SOA));
        let serial = soa.and_then(|set| match &set.records_without_rrsigs().next()?.data {
            RData::SOA(soa) => Some(soa.serial),
            _ => None,
        });
        let serial = serial.ok_or_else(|| InvalidZone(format!("{origin} has no SOA")))?;
        let name = origin.clone().into();
        let handler = InMemoryZoneHandler::<TokioRuntimeProvider>::new(
            origin,
            records,
            ZoneType::Primary,
            AxfrPolicy::Deny,
        );
        let mut catalog = Catalog::new();
        catalog.upsert(name, vec![Arc::new(handler.map_err(InvalidZone)?)]);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(catalog);
        Ok(serial)
    }

    fn catalog(&self) -> Arc<Catalog> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait::async_trait]
impl RequestHandler for Served {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        response: R,
    ) -> ResponseInfo {
        self.catalog().handle_request::<R, T>(request, response).await
    }
}
