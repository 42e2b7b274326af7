//! wpaas
