/** Which calls does the API have? Swagger UI over this engine's own description, asking nobody else. */

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  validatorUrl: null,
});
