"""The diagram: units and connections, for one example."""
