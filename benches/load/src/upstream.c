/* upstream: a fixed, very cheap model server (one thread, epoll).
 *
 *   upstream --port P
 *
 * POST /predict                 an Iris answer (64 variants in turn, 3 classes)
 * POST /predict/NAME            the same, under as many names as wanted
 *   ?class=C                    with this class
 *   ?bytes=N                    the same JSON padded to N bytes in all
 *   ?delay_ms=D                 answer after D ms (fractions allowed)
 *   ?mode=chunked&n=K&gap_ms=G  the answer cut in K chunks, G ms apart
 *   ?mode=sse&n=K&gap_ms=G      text/event-stream of K events, G ms apart
 *   ?status=S                   that status code
 * any  /echo                    the request's body back
 * GET  /health /ready /live     {"status":"ok"}
 */
#include "common.h"

#define BUF 65536
#define VARIANTS 64

struct conn {
    int fd, close_after, reading_body, chunked_in, want_out, alive;
    char *in;
    size_t in_len, in_cap;
    uint64_t body_left;      /* request body still to swallow */
    char *body; size_t body_len, body_cap; int keep_body;
    const char *out; size_t out_len, out_off;   /* response being written */
    char *out_own;                              /* freed when written */
    const char *out2; size_t out2_len;          /* second part (big body, never freed) */
    char query[256];
    char path[64];
    int stream_left, stream_sse; double stream_gap_ms;
    uint64_t due; int heap_at;                  /* timer, heap_at = -1: none */
    uint64_t gen;
};

static int ep;
static struct { char *p; size_t n; } variant[VARIANTS];
static char *json_of[VARIANTS];
static unsigned turn;

/* ---- timers: a binary heap of connections by due time ---- */
static struct conn **heap; static int heap_n, heap_cap;
static void heap_set(int i, struct conn *c) { heap[i] = c; c->heap_at = i; }
static void heap_up(int i) {
    struct conn *c = heap[i];
    while (i && heap[(i - 1) / 2]->due > c->due) { heap_set(i, heap[(i - 1) / 2]); i = (i - 1) / 2; }
    heap_set(i, c);
}
static void heap_down(int i) {
    struct conn *c = heap[i];
    for (;;) {
        int k = 2 * i + 1;
        if (k >= heap_n) break;
        if (k + 1 < heap_n && heap[k + 1]->due < heap[k]->due) k++;
        if (heap[k]->due >= c->due) break;
        heap_set(i, heap[k]); i = k;
    }
    heap_set(i, c);
}
static void timer_set(struct conn *c, double ms) {
    c->due = now_ns() + (uint64_t)(ms * 1e6);
    if (heap_n == heap_cap) { heap_cap = heap_cap ? heap_cap * 2 : 256; heap = realloc(heap, sizeof *heap * (size_t)heap_cap); }
    heap[heap_n] = c; c->heap_at = heap_n; heap_up(heap_n++);
}
static void timer_del(struct conn *c) {
    int i = c->heap_at;
    if (i < 0) return;
    c->heap_at = -1;
    struct conn *last = heap[--heap_n];
    if (last != c) { heap_set(i, last); heap_up(i); heap_down(last->heap_at); }
}

static void conn_close(struct conn *c) {
    timer_del(c);
    close(c->fd);
    free(c->in); free(c->body); free(c->out_own); free(c);
}

static double query_num(const char *q, const char *key, double dflt) {
    size_t k = strlen(key);
    for (const char *p = q; (p = strstr(p, key)); p += k)
        if ((p == q || p[-1] == '&') && p[k] == '=') return atof(p + k + 1);
    return dflt;
}

static size_t class_json(const char *q, char *into, size_t n) {
    const char *p = strstr(q, "class=");
    int k = (int)strcspn(p + 6, "&");
    return (size_t)snprintf(into, n, "{\"prediction\":\"%.*s\",\"confidence\":0.9000,\"probabilities\":{\"%.*s\":0.9000},\"model_version\":\"1.0.0\"}", k, p + 6, k, p + 6);
}

/* ---- big bodies: one cached copy per size ---- */
static struct { size_t n; char *p; } big[32]; static int big_n;
static const char *big_body(size_t n) {
    for (int i = 0; i < big_n; i++) if (big[i].n == n) return big[i].p;
    const char *base = json_of[0]; size_t bl = strlen(base);
    char *p = xmalloc(n + 1);
    if (n < bl + 9) { memset(p, ' ', n); memcpy(p, base, n < bl ? n : bl); }
    else {
        memcpy(p, base, bl - 1);
        memcpy(p + bl - 1, ",\"pad\":\"", 8);
        memset(p + bl + 7, 'x', n - bl - 9);
        memcpy(p + n - 2, "\"}", 2);
    }
    if (big_n < 32) { big[big_n].n = n; big[big_n++].p = p; }
    return p;
}

static int flush_out(struct conn *c);   /* -1 closed, 0 waiting, 1 all written */
static int next_stream_part(struct conn *c) {
    char tmp[512]; int n;
    const char *j = json_of[turn++ % VARIANTS];
    c->stream_left--;
    if (c->stream_sse) { char ev[400]; int k = snprintf(ev, sizeof ev, "data: %s\n\n", j); n = snprintf(tmp, sizeof tmp, "%x\r\n%s\r\n", k, ev); }
    else n = snprintf(tmp, sizeof tmp, "%zx\r\n%s\r\n", strlen(j), j);
    if (!c->stream_left) n += snprintf(tmp + n, sizeof tmp - (size_t)n, "0\r\n\r\n");
    c->out_own = xmalloc((size_t)n); memcpy(c->out_own, tmp, (size_t)n);
    c->out = c->out_own; c->out_len = (size_t)n; c->out_off = 0; c->out2_len = 0;
    return 0;
}

static int respond(struct conn *c) {
    const char *q = c->query;
    c->out_off = 0; c->out2_len = 0; c->out_own = NULL;
    if (!*q && !strcmp(c->path, "/predict")) {
        unsigned i = turn++ % VARIANTS;
        c->out = variant[i].p; c->out_len = variant[i].n;
        return flush_out(c);
    }
    char head[512], own[1024]; int n; int predict = !strcmp(c->path, "/predict") || !strncmp(c->path, "/predict/", 9); int status = (int)query_num(q, "status", 200);
    const char *why = status == 200 ? "OK" : status == 503 ? "Service Unavailable" : status >= 500 ? "Internal Server Error" : "Status";
    if (!strcmp(c->path, "/echo")) {
        n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: application/octet-stream\r\nContent-Length: %zu\r\n\r\n", status, why, c->body_len);
        c->out_own = xmalloc((size_t)n + c->body_len);
        memcpy(c->out_own, head, (size_t)n); memcpy(c->out_own + n, c->body, c->body_len);
        c->out = c->out_own; c->out_len = (size_t)n + c->body_len;
        return flush_out(c);
    }
    if (predict && strstr(q, "mode=")) {
        c->stream_sse = strstr(q, "mode=sse") != NULL;
        c->stream_left = (int)query_num(q, "n", 8); c->stream_gap_ms = query_num(q, "gap_ms", 0);
        n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nCache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n",
                     status, why, c->stream_sse ? "text/event-stream" : "application/json");
        c->out_own = xmalloc((size_t)n); memcpy(c->out_own, head, (size_t)n);
        c->out = c->out_own; c->out_len = (size_t)n;
        return flush_out(c);
    }
    const char *body = "{\"status\":\"ok\"}"; size_t bl = 15;
    if (predict && strstr(q, "class=")) {
        bl = class_json(q, own, sizeof own);
        n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status, why, bl);
        c->out_own = xmalloc((size_t)n + bl);
        memcpy(c->out_own, head, (size_t)n); memcpy(c->out_own + n, own, bl);
        c->out = c->out_own; c->out_len = (size_t)n + bl;
        return flush_out(c);
    }
    if (predict) {
        size_t want = (size_t)query_num(q, "bytes", 0);
        if (want) { body = big_body(want); bl = want; }
        else { body = json_of[turn++ % VARIANTS]; bl = strlen(body); }
    } else if (c->path[0] == '/' && strcmp(c->path, "/health") && strcmp(c->path, "/ready") && strcmp(c->path, "/live")) {
        status = 404; why = "Not Found";
    }
    n = snprintf(head, sizeof head, "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", status, why, bl);
    c->out_own = xmalloc((size_t)n); memcpy(c->out_own, head, (size_t)n);
    c->out = c->out_own; c->out_len = (size_t)n; c->out2 = body; c->out2_len = bl;
    return flush_out(c);
}

static void want_out(struct conn *c, int on) {
    if (c->want_out == on) return;
    c->want_out = on;
    struct epoll_event e = {.events = EPOLLIN | (on ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static int flush_out(struct conn *c) {
    for (;;) {
        size_t total = c->out_len + c->out2_len;
        while (c->out_off < total) {
            ssize_t w;
            if (!c->out2_len) w = send(c->fd, c->out + c->out_off, total - c->out_off, MSG_NOSIGNAL);
            else if (c->out_off < c->out_len) {
                struct iovec v[2] = {{(void *)(c->out + c->out_off), c->out_len - c->out_off}, {(void *)c->out2, c->out2_len}};
                w = writev(c->fd, v, 2);
            } else w = send(c->fd, c->out2 + (c->out_off - c->out_len), total - c->out_off, MSG_NOSIGNAL);
            if (w < 0) {
                if (errno == EAGAIN) { want_out(c, 1); return 0; }
                conn_close(c); return -1;
            }
            c->out_off += (size_t)w;
        }
        free(c->out_own); c->out_own = NULL; c->out_len = c->out2_len = c->out_off = 0;
        if (c->stream_left > 0) {
            if (c->stream_gap_ms > 0) { timer_set(c, c->stream_gap_ms); want_out(c, 0); return 0; }
            next_stream_part(c);
            continue;
        }
        break;
    }
    want_out(c, 0);
    if (c->close_after) { conn_close(c); return -1; }
    c->reading_body = 0;
    return 1;
}

/* Swallow (or keep) request body bytes from the input buffer. 1 when complete, -1 on bad chunking. */
static int take_body(struct conn *c) {
    size_t off = 0;
    for (;;) {
        if (c->body_left) {
            size_t k = c->in_len - off; if (k > c->body_left) k = c->body_left;
            if (c->keep_body) {
                if (c->body_len + k > c->body_cap) { c->body_cap = (c->body_len + k) * 2; c->body = realloc(c->body, c->body_cap); }
                memcpy(c->body + c->body_len, c->in + off, k); c->body_len += k;
            }
            off += k; c->body_left -= k;
            if (c->body_left) break;
            if (!c->chunked_in) { memmove(c->in, c->in + off, c->in_len - off); c->in_len -= off; return 1; }
            c->chunked_in = 2;
        }
        if (!c->chunked_in) return 1;
        if (c->chunked_in == 2) { if (c->in_len - off < 2) break; off += 2; c->chunked_in = 1; }
        char *nl = memchr(c->in + off, '\n', c->in_len - off);
        if (!nl) break;
        unsigned long k = strtoul(c->in + off, NULL, 16);
        if (!k) {   /* last chunk: no trailers expected, so the blank line follows */
            if (c->in_len < (size_t)(nl + 3 - c->in)) break;
            off = (size_t)(nl + 3 - c->in);
            memmove(c->in, c->in + off, c->in_len - off); c->in_len -= off;
            c->chunked_in = 0;
            return 1;
        }
        off = (size_t)(nl + 1 - c->in); c->body_left = k;
    }
    memmove(c->in, c->in + off, c->in_len - off); c->in_len -= off;
    return 0;
}

static void on_input(struct conn *c) {
    for (;;) {
        if (c->reading_body == 2) return;      /* answering; look again afterwards */
        if (!c->reading_body) {
            if (!c->in_len) return;
            size_t he = head_end(c->in, c->in_len);
            if (!he) { if (c->in_len >= BUF) conn_close(c); return; }
            char *sp = memchr(c->in, ' ', he), *e = sp ? memchr(sp + 1, ' ', he - (size_t)(sp + 1 - c->in)) : NULL;
            if (!e) { conn_close(c); return; }
            size_t tl = (size_t)(e - sp - 1); char *qm = memchr(sp + 1, '?', tl);
            size_t pl = qm ? (size_t)(qm - sp - 1) : tl; if (pl > sizeof c->path - 1) pl = sizeof c->path - 1;
            memcpy(c->path, sp + 1, pl); c->path[pl] = 0;
            size_t ql = qm ? (size_t)(e - qm - 1) : 0; if (ql > sizeof c->query - 1) ql = sizeof c->query - 1;
            if (ql) memcpy(c->query, qm + 1, ql);
            c->query[ql] = 0;
            const char *h = header(c->in, he, "content-length:");
            c->body_left = h ? strtoull(h, NULL, 10) : 0;
            c->chunked_in = 0;
            if (!h && (h = header(c->in, he, "transfer-encoding:")) && !strncasecmp(h, "chunked", 7)) c->chunked_in = 1;
            h = header(c->in, he, "connection:");
            c->close_after = h && !strncasecmp(h, "close", 5);
            if ((h = header(c->in, he, "expect:"))) { ssize_t w = send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL); (void)w; }
            c->keep_body = !strcmp(c->path, "/echo"); c->body_len = 0;
            memmove(c->in, c->in + he, c->in_len - he); c->in_len -= he;
            c->reading_body = 1;
        }
        if (!take_body(c)) return;
        c->reading_body = 2;
        double d = *c->query ? query_num(c->query, "delay_ms", 0) : 0;
        if (d > 0) { timer_set(c, d); return; }
        if (respond(c) != 1) return;
    }
}

int main(int argc, char **argv) {
    int port = 0;
    for (int i = 1; i + 1 < argc; i++) if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
    if (!port) { fprintf(stderr, "usage: upstream --port P\n"); return 2; }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1);
    raise_nofile();
    static const char *cls[3] = {"setosa", "versicolor", "virginica"};
    for (int i = 0; i < VARIANTS; i++) {
        double conf = 0.55 + 0.44 * ((i * 37) % VARIANTS) / (VARIANTS - 1.0), r = 1 - conf, p[3];
        for (int k = 0; k < 3; k++) p[k] = k == i % 3 ? conf : k == (i + 1) % 3 ? r * 0.7 : r * 0.3;
        char j[400], h[700];
        snprintf(j, sizeof j, "{\"prediction\":\"%s\",\"confidence\":%.4f,\"probabilities\":{\"setosa\":%.4f,\"versicolor\":%.4f,\"virginica\":%.4f},\"model_version\":\"1.0.0\"}",
                 cls[i % 3], conf, p[0], p[1], p[2]);
        json_of[i] = strdup(j);
        int n = snprintf(h, sizeof h, "HTTP/1.1 200 OK\r\nserver: upstream\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n%s", strlen(j), j);
        variant[i].p = strdup(h); variant[i].n = (size_t)n;
    }
    ep = epoll_create1(EPOLL_CLOEXEC);
    int ls = listen_on(port);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, evs[512];
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    for (;;) {
        struct timespec ts, *tp = NULL;
        if (heap_n) {
            uint64_t t = now_ns(), d = heap[0]->due > t ? heap[0]->due - t : 0;
            ts.tv_sec = (time_t)(d / 1000000000ull); ts.tv_nsec = (long)(d % 1000000000ull); tp = &ts;
        }
        int n = epoll_pwait2(ep, evs, 512, tp, NULL);
        for (int i = 0; i < n; i++) {
            struct conn *c = evs[i].data.ptr;
            if (!c) {
                int fd;
                while ((fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    set_nodelay(fd);
                    struct conn *k = calloc(1, sizeof *k);
                    k->fd = fd; k->heap_at = -1;
                    struct epoll_event ce = {.events = EPOLLIN, .data.ptr = k};
                    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ce);
                }
                continue;
            }
            if ((evs[i].events & EPOLLOUT) && c->want_out) { if (flush_out(c) != 1) continue; on_input(c); continue; }
            if (c->in_cap - c->in_len < 4096) { c->in_cap = c->in_cap ? c->in_cap * 2 : 16384; if (c->in_cap > 4 * BUF) c->in_cap = 4 * BUF; c->in = realloc(c->in, c->in_cap); }
            if (c->in_cap == c->in_len) { conn_close(c); continue; }
            ssize_t r = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);
            if (r < 0 && errno == EAGAIN) continue;
            if (r <= 0) { conn_close(c); continue; }
            c->in_len += (size_t)r;
            on_input(c);
        }
        uint64_t t = heap_n ? now_ns() : 0;
        while (heap_n && heap[0]->due <= t) {
            struct conn *c = heap[0];
            timer_del(c);
            int r;
            if (c->stream_left > 0) { next_stream_part(c); r = flush_out(c); } else r = respond(c);
            if (r == 1) on_input(c);
        }
    }
}
