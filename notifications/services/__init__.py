"""From events to notices, from notices to mails."""
