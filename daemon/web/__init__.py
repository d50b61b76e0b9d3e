"""Pages, approvals and the JSON API: server-rendered, working without JavaScript, trusting no input."""
