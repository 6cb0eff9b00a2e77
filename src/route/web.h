/* A request to a web server (https/https.h) whose addresses our resolver looks up, and whose certificate is judged by the
 * authorities that our TLS trusts.
 *
 *   W1  The callback runs once, later, never inside web_ask; not after web_cancel or web_free.
 *
 * One for each lane. Life: web_new, settings, requests, web_free. */
#ifndef ROUTE_WEB_H
#define ROUTE_WEB_H

#include "dns/dns.h"
#include "https/https.h"
#include "tls/tls.h"

struct web;

/* NULL: no memory. */
[[nodiscard]] struct web *web_new(struct loop *loop);
void web_free(struct web *web);

/* From now on names are asked of this one (borrows), and these are trusted (shares). Before, every request fails. */
void web_set_dns(struct web *web, struct dns *dns);
void web_set_tls(struct web *web, struct tls_client *client);

struct web_request;

/* Addresses in the order do not count. A host that cannot be looked up is HTTPS_UNREACHABLE. NULL: no memory. */
[[nodiscard]] struct web_request *web_ask(
    struct web *web, const struct https_order *order, https_callback *callback, void *context);
void web_cancel(struct web_request *request); /* NULL is fine. */

#endif
