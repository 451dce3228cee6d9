"""Words of the field as types: units, markets, events, commands, records and the view."""
