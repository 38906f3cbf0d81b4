"""HTTP: authentication, transport, retries, the ten operations, Admin and Stats. No pandas here, no loops over batches."""
