"""From a cloud to pages of records; httpx stays inside this package.

    open_service(source, deadline, connection) -> ImageService

The connection comes from `catalog.fetch.auth.login.connect`.
"""
