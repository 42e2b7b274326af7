use std::collections::HashMap;

use bollard::query_parameters::{BuildImageOptionsBuilder, BuilderVersion};
use futures::StreamExt as _;
use wpaas_core::converge::{BackendError, NodeRole};
use wpaas_core::node;

use crate::archive;
use crate::backend::Inner;
use crate::engine::Connection;

impl Inner {
    /// Builds a role's image on this base. With the classic builder: every Engine has it.
    pub(super) async fn build(
        &self,
        connection: &Connection,
        role: NodeRole,
        base: &str,
        report: &(dyn Fn(&str) + Send + Sync),
    ) -> Result<(), BackendError> {
        let name = self.image_name(role);
        report(&format!("building {name}"));
        let context = archive::of_context(node::context().iter().map(|file| (file.path, file.bytes)))?;
        let options = BuildImageOptionsBuilder::new()
            .dockerfile("Dockerfile")
            .target(&role.to_string())
            .t(&name)
            .buildargs(&HashMap::from([("BASE", base)]))
            .version(BuilderVersion::BuilderV1)
            .rm(true)
            .forcerm(true)
            .build();
        let docker = connection.patient();
        let mut lines = docker.build_image(options, None, Some(bollard::body_full(context)));
        while let Some(line) = lines.next().await {
            let line = line.map_err(|error| self.engine.failed(&format!("building {name}"), error))?;
            for line in
                line.stream.iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty())
            {
                report(line);
            }
        }
        Ok(())
    }
}
