"""How good are the scores beside what people would use instead?"""
