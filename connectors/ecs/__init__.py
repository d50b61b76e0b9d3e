"""All knowledge of the Elastic Common Schema: documents of events, alerts, incidents and audit."""
