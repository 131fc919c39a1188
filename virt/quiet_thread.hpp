// A thread that libvirt may block in: signals are the io_context's thread's business. Internal to virt/*.cpp.
#pragma once
#include <csignal>
#include <pthread.h>
#include <thread>
#include <utility>

namespace weft::virt {

/// Runs `body` in a detached thread with all signals blocked. It owns what it uses.
template <class Body>
void start_quiet_thread(Body body) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread(std::move(body)).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

} // namespace weft::virt
