"""The demo data: its content, its images, and how it is loaded (`manage.py load_demo`)."""
