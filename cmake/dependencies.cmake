# Every library from outside, found once. All are Debian packages: scripts/packages.txt.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(Boost 1.81 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tomlplusplus REQUIRED)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(MYSQLCLIENT REQUIRED IMPORTED_TARGET mysqlclient)
pkg_check_modules(LMDB REQUIRED IMPORTED_TARGET lmdb)
# Not by pkg-config: libunbound.pc asks for libevent-dev, which nothing here uses.
find_library(UNBOUND_LIBRARY unbound REQUIRED)
add_library(unbound INTERFACE IMPORTED)
target_link_libraries(unbound INTERFACE ${UNBOUND_LIBRARY})
pkg_check_modules(IDN2 REQUIRED IMPORTED_TARGET libidn2)
pkg_check_modules(PSL REQUIRED IMPORTED_TARGET libpsl)
if(MAILZONE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

# What every target of ours is compiled with.
add_library(mailzone_options INTERFACE)
target_compile_options(mailzone_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                       -Wcast-qual -Wconversion -Wsign-conversion -Wimplicit-fallthrough -Werror)
# g++ 12 reports these falsely at -O2 for std::string and optionals (https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105329,
# https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105562): shown, not fatal.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(mailzone_options INTERFACE -Wno-error=maybe-uninitialized -Wno-error=restrict
                         -Wno-error=array-bounds -Wno-error=stringop-overflow -Wno-error=stringop-overread
                         -Wno-error=unused-result)
endif()
target_link_libraries(mailzone_options INTERFACE Threads::Threads tl::expected fmt::fmt)
if(MAILZONE_SANITIZE)
  # -fno-sanitize=function: clang 14 reports Asio's coroutines falsely.
  target_compile_options(mailzone_options INTERFACE -fsanitize=address,undefined -fno-sanitize=function
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(mailzone_options INTERFACE -fsanitize=address,undefined)
endif()
target_compile_options(mailzone_options INTERFACE -fstack-protector-strong)
target_compile_definitions(mailzone_options INTERFACE $<$<CONFIG:RelWithDebInfo>:_FORTIFY_SOURCE=2>
                           MAILZONE_VERSION="${PROJECT_VERSION}")
