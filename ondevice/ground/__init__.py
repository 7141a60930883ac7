"""What everything stands on: files, text, dates, addresses, the processor and the system."""
