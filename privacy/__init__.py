"""A user's own account as a whole: show, change, export and delete it. Calls the apps below in a fixed order."""
