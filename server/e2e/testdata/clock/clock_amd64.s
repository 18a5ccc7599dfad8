#include "textflag.h"

// wrongClock is called as C functions are: clockid_t in DI, struct timespec * in SI.
TEXT ·wrongClock(SB),NOSPLIT|NOFRAME,$0-0
	PUSHQ	DI
	PUSHQ	SI
	SUBQ	$8, SP // aligned as C wants it
	MOVQ	·rightClock(SB), AX
	CALL	AX
	ADDQ	$8, SP
	POPQ	SI
	POPQ	DI
	CMPL	DI, $0 // CLOCK_REALTIME
	JNE	done
	MOVQ	·secondsOff(SB), CX
	ADDQ	CX, 0(SI)
done:
	RET

TEXT ·wrongClockAddress(SB),NOSPLIT,$0-8
	LEAQ	·wrongClock(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
