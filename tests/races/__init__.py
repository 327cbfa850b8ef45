"""The races, over running servers on either database, each with its guard and with the guard taken out."""
