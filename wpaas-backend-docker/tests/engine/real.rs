//! The real images. Building them takes minutes, so this is asked for with `WPAAS_TEST_DOCKER_IMAGES=1`.
