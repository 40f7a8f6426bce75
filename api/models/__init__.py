"""What the API answers, as pydantic models; web/openapi.json is made of them."""
