def answer(environ, start_response): return None
