"""The pages of accounts in the admin."""

from accounts.admin import sign_in, users
