/* Preloaded, lets a process listen on loopback alone: Beam's servers for workers, and its worker pool, bind every
   address, have no option for it, and take code from whoever asks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int bind(int socket, const struct sockaddr *address, socklen_t size) {
    static const unsigned char loopback[16] = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}; /* ::ffff:127.0.0.1 */
    int (*system_bind)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
    struct sockaddr_storage own;
    struct sockaddr_in *v4 = (struct sockaddr_in *)&own;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&own;
    if (size > sizeof own) return system_bind(socket, address, size);
    memcpy(&own, address, size);
    if (own.ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (own.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        memcpy(&v6->sin6_addr, loopback, sizeof loopback);
    return system_bind(socket, (struct sockaddr *)&own, size);
}
