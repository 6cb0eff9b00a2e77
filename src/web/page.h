/* The page and what belongs to it, as they lie in src/web/page. Made by tools/embed.py. */
#ifndef WEB_PAGE_H
#define WEB_PAGE_H

#include <stddef.h>

extern const unsigned char web_page_html[], web_page_css[], web_page_js[];
extern const size_t web_page_html_size, web_page_css_size, web_page_js_size;

#endif
