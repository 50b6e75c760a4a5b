"""Which method, or which value of a setting, and is the difference real?"""
