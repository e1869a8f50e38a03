"""The generator's service, a process of its own: HTTP, live streams, jobs, MCP; nothing that trades imports it."""
