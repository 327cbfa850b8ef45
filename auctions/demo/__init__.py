"""The demo data: what is in it, its pictures, and how it is loaded (manage.py load_demo)."""
