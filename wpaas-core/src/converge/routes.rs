use smallvec::SmallVec;

use super::Part;

/// Where a gateway sends visitors and queries: its servers, in the order of parts. What is not in here is out of
/// service. What a site can have fits in without an allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Routes<'a> {
    servers: SmallVec<[(Part, RouteState); SERVERS]>,
    /// Of the slots apart, in their order.
    previews: [Option<&'a [String]>; PREVIEWS],
}

/// At least three database nodes, and a WordPress node in every slot.
const SERVERS: usize = 64;
const PREVIEWS: usize = (Part::WORDPRESS_SLOTS - Part::APART_SLOTS) as usize;

/// What a server gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RouteState {
    /// New sessions, while it passes its checks.
    Ready,
    /// Only what it has.
    Drain,
}

impl<'a> Routes<'a> {
    /// Puts a server in, or gives it another state.
    pub fn set(&mut self, server: Part, state: RouteState) {
        match self.servers.binary_search_by_key(&server, |(part, _)| *part) {
            Ok(at) => self.servers[at].1 = state,
            Err(at) => self.servers.insert(at, (server, state)),
        }
    }

    /// These names are this server's, and nothing else is: a WordPress node's in a slot apart.
    pub fn preview(&mut self, server: Part, names: &'a [String]) {
        if let Part::Wordpress(slot) = server
            && let Some(at) = slot.checked_sub(Part::APART_SLOTS)
            && let Some(preview) = self.previews.get_mut(usize::from(at))
        {
            *preview = Some(names);
        }
    }

    /// The servers.
    pub fn iter(&self) -> impl Iterator<Item = (Part, RouteState)> {
        self.servers.iter().copied()
    }

    /// The servers with names of their own.
    pub fn previews(&self) -> impl Iterator<Item = (Part, &'a [String])> {
        let slots = (Part::APART_SLOTS..).map(Part::Wordpress);
        slots.zip(self.previews).filter_map(|(part, names)| Some((part, names?)))
    }
}
