//! What belongs to no one site: the names that lead to all of them, and what answers for those names, the DNS server
//! and the edge. Planned once, whatever the number of sites; a site's step never names it.

mod backend;
mod names;
mod plan;
mod zone;

pub use backend::{FleetBackend, NameService};
pub use names::{Names, Said, SitePlace};
pub use plan::{
    FleetFacts, FleetIntent, FleetNode, FleetObject, FleetPart, FleetStep, InvalidFleetPart, plan,
};
pub use zone::{Zone, next_serial, serial_of};
