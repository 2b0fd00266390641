"""HTTP server of the knowledge base: OpenAI's chat protocol, facts, and one page.

    gate      key -> tenant; 401, 403 before anything is read
    bodies    JSON of bounded size; what is wrong with it, in one line
    traffic   slots, one queue of writers, 429 and 503 with Retry-After
    rooms     the open knowledge base of each tenant
    chat      /v1/chat/completions, /v1/models
    facts     /v1/facts, /v1/ask, /v1/undo, /v1/pending
    app       routes; page.html is the page

Needs starlette and uvicorn, the extra ``mind``; ``python -m prism.serve`` runs it.
"""
