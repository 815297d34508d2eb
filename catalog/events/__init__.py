"""Events for others: as CloudEvents, as a feed, and delivered to webhooks."""
