/* A python.exe (or, with -mwindows, a pythonw.exe) for a CPython DLL without one.
 *
 * Like CPython's PC/python.c, it calls Py_Main with the wide arguments. It loads the DLL at run time and so needs no import
 * library and no headers. With a pyvenv.cfg beside it or above it, it loads the DLL of "home" there, so that a copy of
 * this program in VENV\Scripts is a virtual environment's python.exe.
 *
 * A program that Wine starts from a pipe has no console, and Ctrl-C cannot reach it. With WINPYTHON_CONSOLE set, this
 * program opens a console, which its child processes share.
 */
#include <windows.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#ifndef PYTHON_DLL
#define PYTHON_DLL L"python311.dll"
#endif
#define LONGEST 4096

typedef int (*py_main)(int, wchar_t **);

static wchar_t here[LONGEST];

static void fold_up(wchar_t *path) {
    wchar_t *last = wcsrchr(path, L'\\');
    if (last) *last = 0;
}

static int home_of_venv(const wchar_t *folder, wchar_t *home) {
    wchar_t name[LONGEST];
    char line[LONGEST];
    FILE *file;
    swprintf(name, LONGEST, L"%ls\\pyvenv.cfg", folder);
    file = _wfopen(name, L"r");
    if (!file) return 0;
    while (fgets(line, sizeof line, file)) {
        char *equals = strchr(line, '=');
        if (strncmp(line, "home", 4) || !equals) continue;
        equals++;
        while (*equals == ' ') equals++;
        equals[strcspn(equals, "\r\n")] = 0;
        MultiByteToWideChar(CP_UTF8, 0, equals, -1, home, LONGEST);
        fclose(file);
        return 1;
    }
    fclose(file);
    return 0;
}

static void own_console(void) {
    static const DWORD which[3] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    HANDLE kept[3];
    int i;
    if (!GetEnvironmentVariableW(L"WINPYTHON_CONSOLE", NULL, 0)) return;
    SetEnvironmentVariableW(L"WINPYTHON_CONSOLE", NULL);
    for (i = 0; i < 3; i++) kept[i] = GetStdHandle(which[i]);
    FreeConsole();
    AllocConsole();
    for (i = 0; i < 3; i++) SetStdHandle(which[i], kept[i]);
}

static int run(void) {
    wchar_t folder[LONGEST], home[LONGEST], dll[LONGEST];
    HMODULE python;
    py_main start;

    GetModuleFileNameW(NULL, here, LONGEST);
    wcscpy(folder, here);
    fold_up(folder);
    wcscpy(home, folder);
    if (!home_of_venv(folder, home)) {
        fold_up(folder);
        home_of_venv(folder, home);
    }
    swprintf(dll, LONGEST, L"%ls\\%ls", home, PYTHON_DLL);
    python = LoadLibraryExW(dll, NULL, LOAD_WITH_ALTERED_SEARCH_PATH);
    if (!python) {
        fprintf(stderr, "cannot load %ls: error %lu\n", dll, GetLastError());
        return 101;
    }
    start = (py_main)(void *)GetProcAddress(python, "Py_Main");
    if (!start) {
        fprintf(stderr, "%ls has no Py_Main\n", dll);
        return 102;
    }
    return start(__argc, __wargv);
}

#ifdef WINDOWED
int WINAPI wWinMain(HINSTANCE self, HINSTANCE before, PWSTR line, int show) {
    (void)self; (void)before; (void)line; (void)show;
    return run();
}
#else
int wmain(int argc, wchar_t **argv) {
    (void)argc; (void)argv;
    own_console();
    return run();
}
#endif
